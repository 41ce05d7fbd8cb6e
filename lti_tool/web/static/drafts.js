// What somebody types is kept on the server while they type: a session that ends takes nothing with it.
// Without script every button of the form keeps it.
const PAUSE = 20 * 1000;
const form = document.querySelector("form.describe");
const status = document.getElementById("draft-status");
let timer;
let isChanged = false;
let sending;

function later() {
  isChanged = true;
  timer ??= setTimeout(save, PAUSE);
}

// Said once: a reader that hears the same words every few seconds hears nothing else.
function say(words) {
  if (status.textContent !== words) status.textContent = words;
}

async function save() {
  clearTimeout(timer);
  timer = undefined;
  if (!isChanged) return;
  isChanged = false;
  sending = new AbortController();
  // form.action would be the buttons of that name.
  const body = new URLSearchParams(new FormData(form));
  body.set("action", "save");
  try {
    const response = await fetch(form.getAttribute("action"), {
      method: "POST",
      body,
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      keepalive: document.hidden,
      signal: sending.signal,
    });
    if (response.ok) {
      say(status.dataset.saved);
      return;
    }
    const { code } = await response.json();
    if (code === "session_expired") {
      say(status.dataset.ended); // the server kept it all the same
      return;
    }
    if (code === "conflict") {
      say(status.dataset.changed); // the next button shows both
      return;
    }
  } catch (error) {
    if (error.name === "AbortError") return;
  }
  say(status.dataset.failed);
  later();
}

form.addEventListener("input", later);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) save();
});
// The button's own request carries everything; a draft that came after "Add to the course" would stay behind.
form.addEventListener("submit", () => {
  clearTimeout(timer);
  timer = undefined;
  isChanged = false;
  sending?.abort();
});
