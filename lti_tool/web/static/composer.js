// The picture follows the choices; without script the button "Update the picture" does the same.
// An uploaded picture has nothing to compose.
const form = document.querySelector("form[data-artwork]");
const whole = document.getElementById("artwork-preview");
const pictures = document.querySelectorAll("[data-artwork-shown]");
const contrast = document.getElementById("contrast");
const NAMES = ["shape", "icon", "background", "foreground", "text"];
let timer;

// Chromium ignores the attribute in a frame of another site; a script may do the same.
document.querySelector("[autofocus]")?.focus();

function luminance(colour) {
  const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255);
  const [red, green, blue] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function ratio(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

// Never rounded up: what is too weak must not look like enough.
function decimal(number) {
  return (Math.floor(number * 10) / 10).toLocaleString(document.documentElement.lang);
}

function draw() {
  const chosen = new URLSearchParams();
  for (const name of NAMES) chosen.set(name, form.elements[name].value);
  for (const picture of pictures) picture.src = `${form.dataset.artwork}?${chosen}`;
  const value = ratio(form.elements.background.value, form.elements.foreground.value);
  const { forText, forPicture } = contrast.dataset; // WCAG 1.4.3 and 1.4.11
  const needed = Number(form.elements.text.value.trim() ? forText : forPicture);
  const words = value >= needed ? contrast.dataset.good : contrast.dataset.bad;
  contrast.textContent = words.replace("{}", decimal(value)).replace("{needed}", decimal(needed));
  contrast.classList.toggle("is-bad", value < needed);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(draw, 200);
}

// A template, or a pair of colours: the fields take what its button says, without a way to the server.
function choose(event) {
  const button = event.target.closest("[data-fields]");
  if (!button) return;
  event.preventDefault();
  for (const [name, value] of Object.entries(JSON.parse(button.dataset.fields))) form.elements[name].value = value;
  form.elements.shape.dispatchEvent(new Event("input", { bubbles: true }));
  draw();
}

if (contrast) {
  for (const name of NAMES) form.elements[name].addEventListener("input", soon);
  document.getElementById("artwork").addEventListener("click", choose);
}
form.elements.image_alt.addEventListener("input", () => {
  whole.alt = form.elements.image_alt.value;
});
