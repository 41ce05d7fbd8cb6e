// While a teacher types the formula in another tab, ask the server whether values have arrived.
const LONGEST_WAIT = 20 * 60 * 1000;
const started = Date.now();
const waiting = new Map(); // section → its timer; none while it is being asked, or has nothing to wait for
let pause = 5000;

async function look(section) {
  waiting.delete(section);
  try {
    const response = await fetch(section.dataset.poll, {
      method: "POST",
      headers: { Accept: "application/json", "X-CSRF-Token": section.dataset.csrf },
      credentials: "same-origin",
    });
    if (response.ok) {
      const { columns } = await response.json();
      if (columns.map((column) => column.state).join(",") !== section.dataset.states) {
        window.location.hash = section.id;
        window.location.reload();
        return;
      }
    } else if (response.status < 500) {
      return;
    }
  } catch {
    // the network is away for a moment
  }
  pause = Math.min(pause * 1.15, 30000);
  wait(section);
}

// Nobody looks for so long: only coming back begins again.
function wait(section) {
  const isOver = Date.now() - started > LONGEST_WAIT;
  waiting.set(section, isOver ? undefined : setTimeout(() => look(section), pause));
}

for (const section of document.querySelectorAll("[data-poll]")) wait(section);

// Coming back from the platform's tab is the moment at which people look here.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  pause = 3000;
  for (const [section, timer] of [...waiting]) {
    clearTimeout(timer);
    look(section);
  }
});
