// Copy buttons: shown only where copying works; the text stays selectable without them.
const buttons = document.querySelectorAll("button[data-copy]");
for (const button of buttons) {
  button.hidden = false;
}
// A link may copy what its page asks for, so that it only has to be pasted there. At once: the tab that
// opens takes the focus away, and a clipboard takes nothing from a page without it.
document.addEventListener("click", (event) => {
  const field = document.getElementById(event.target.closest?.("a[data-copy]")?.dataset.copy);
  if (!field) return;
  field.select();
  document.execCommand("copy");
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.focus({ preventScroll: true });
  field.select();
  let done = false;
  try {
    await navigator.clipboard.writeText(field.value);
    done = true;
  } catch {
    // A frame without the clipboard permission: the old way needs none.
    done = document.execCommand("copy");
  }
  button.focus({ preventScroll: true });
  if (!done) return;
  const before = button.dataset.before ?? button.textContent;
  button.dataset.before = before;
  button.textContent = button.dataset.done;
  button.classList.add("is-done");
  const status = document.getElementById("live-message");
  if (status) status.textContent = button.dataset.done;
  setTimeout(() => {
    button.textContent = before;
    button.classList.remove("is-done");
  }, 2500);
});
