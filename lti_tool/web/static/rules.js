// Rules and skills are added and taken away without loading the whole form again; without script the buttons load it.
const form = document.querySelector("form.describe");
const parser = new DOMParser();
// Which part of the form a button changes.
const PARTS = [
  [/^(find_skills$|add_skill-|add_alignment$|remove_alignment-)/, "alignments", "skill_query"],
  [/^(add_|remove_row-|simulate$)/, "criteria", "add-row"],
];
let isBusy = false;

form.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (button?.name !== "action") return;
  const [, part, next] = PARTS.find(([buttons]) => buttons.test(button.value)) ?? [];
  if (!part || !document.getElementById(part)) return;
  event.preventDefault();
  if (isBusy) return;
  isBusy = true;
  const typed = new FormData(form);
  // What is typed while the answer is on its way would be lost with the fields that it replaces.
  const asked = document.getElementById(part);
  asked.inert = true;
  typed.set("action", button.value);
  try {
    // form.action would be the buttons of that name.
    const response = await fetch(form.getAttribute("action"), { method: "POST", body: typed, credentials: "same-origin" });
    const fresh = parser.parseFromString(await response.text(), "text/html").getElementById(part);
    if (!response.ok || !fresh) throw new Error("not the form");
    asked.replaceWith(document.adoptNode(fresh));
    (fresh.querySelector("[autofocus]") ?? document.getElementById(next))?.focus();
  } catch {
    // Whatever the server has to say, it says on a page of its own: the button as without script.
    const action = document.createElement("input");
    Object.assign(action, { type: "hidden", name: "action", value: button.value });
    form.append(action);
    asked.inert = false;
    HTMLFormElement.prototype.submit.call(form);
  } finally {
    isBusy = false;
  }
});
