// Skills are found while somebody types; without script the button "Find" does the same.
const WAIT = 250; // milliseconds after the last letter
let timer;
let asked = 0;

async function find(query, box) {
  const number = ++asked;
  const results = document.getElementById("skill-results");
  try {
    const response = await fetch(`${box.dataset.results}?${new URLSearchParams({ q: query })}`, { credentials: "same-origin" });
    if (!response.ok) return; // the button says why
    const fresh = new DOMParser().parseFromString((await response.json()).html, "text/html");
    // An earlier question may be answered later.
    if (number === asked) results.replaceChildren(...fresh.body.childNodes);
  } catch {
    // Nothing is lost: the button still asks.
  }
}

// The section is replaced when a skill is added: whoever listens must stand around it.
const form = document.querySelector("form.describe");
form.addEventListener("input", (event) => {
  if (event.target.id !== "skill_query") return;
  clearTimeout(timer);
  timer = setTimeout(find, WAIT, event.target.value, document.getElementById("skill-search"));
});
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target.id !== "skill_query") return;
  event.preventDefault(); // the form's own first button would be pressed
  clearTimeout(timer);
  find(event.target.value, document.getElementById("skill-search"));
});
