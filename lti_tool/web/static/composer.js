// The picture follows the choices; without script the button "Update the picture" does the same.
const form = document.querySelector("form[data-artwork]");
const picture = document.getElementById("artwork-preview");
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
  picture.src = `${form.dataset.artwork}?${chosen}`;
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

for (const name of NAMES) form.elements[name].addEventListener("input", soon);
form.elements.image_alt.addEventListener("input", () => {
  picture.alt = form.elements.image_alt.value;
});
