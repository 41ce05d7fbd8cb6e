// Choosing everybody on a page without loading it again, and files looked at before they travel.
// Without script the link ticks everybody, and the server says the same about files.
const all = document.querySelector("a[data-choose-all]");
if (all) {
  const boxes = [...document.querySelectorAll('form.attest input[type="checkbox"]')];
  const status = document.querySelector("[data-chosen]");
  const chooseAll = all.textContent;
  const show = () => {
    const count = boxes.filter((box) => box.checked).length;
    status.textContent = count ? status.dataset.chosen.replace("{}", count) : "";
    all.textContent = count === boxes.length ? all.dataset.chooseAll : chooseAll;
  };
  all.setAttribute("role", "button");
  const choose = (event) => {
    event.preventDefault();
    const checked = !boxes.every((box) => box.checked);
    for (const box of boxes) box.checked = checked;
    show();
  };
  all.addEventListener("click", choose);
  all.addEventListener("keydown", (event) => {
    if (event.key === " ") choose(event);
  });
  document.addEventListener("change", show);
  show();
}

const form = document.getElementById("hand-in");
const files = form?.querySelector('input[type="file"]');
if (files) {
  const said = document.getElementById("files-now");
  const look = () => {
    const chosen = [...files.files];
    const kept = form.querySelectorAll('input[name="keep"]:checked').length;
    const large = chosen.find((file) => file.size > Number(form.dataset.mostBytes));
    let words = "";
    if (large) words = form.dataset.tooLarge.replace("{}", large.name);
    else if (chosen.length + kept > Number(form.dataset.mostFiles)) words = form.dataset.tooMany;
    said.textContent = words;
    said.hidden = !words;
    files.setCustomValidity(words);
  };
  form.addEventListener("change", look);
}
// Pressed twice, handed in once; the server would refuse the second all the same.
form?.addEventListener("submit", () => {
  setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
});
window.addEventListener("pageshow", () => {
  for (const button of form?.querySelectorAll("button") ?? []) button.disabled = false;
});
