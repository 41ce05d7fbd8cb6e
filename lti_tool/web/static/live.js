// A region that shows something in motion is fetched again from its own page and replaced when it changed.
// Nothing is replaced under somebody's hands: a region that holds the focus waits.
const LONGEST_WATCH = 10 * 60 * 1000;
const started = Date.now();
const parser = new DOMParser();

function watch(region) {
  const seconds = Number(region.dataset.liveSeconds) || 10;
  setTimeout(() => refresh(region.id, region.dataset.live), seconds * 1000);
}

async function refresh(id, url) {
  const region = document.getElementById(id);
  if (!region || Date.now() - started > LONGEST_WATCH) return;
  if (document.hidden || region.contains(document.activeElement)) {
    watch(region);
    return;
  }
  try {
    const response = await fetch(url, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    if (!response.ok) return;
    const page = parser.parseFromString(await response.text(), "text/html");
    const fresh = page.getElementById(id);
    if (!fresh) return;
    if (shape(fresh) !== shape(region)) {
      const open = [...region.querySelectorAll("details[open][id]")].map((element) => element.id);
      region.replaceWith(document.adoptNode(fresh));
      for (const name of open) document.getElementById(name)?.setAttribute("open", "");
      for (const button of fresh.querySelectorAll("button[data-copy]")) button.hidden = false;
      const status = document.getElementById("live-message");
      // Words that stand there already are not said again with every step of a bar.
      const words = fresh.dataset.liveMessage;
      if (status && status.textContent !== words) status.textContent = words ?? status.dataset.changed;
    }
    if (fresh.dataset.live) watch(document.getElementById(id));
  } catch {
    watch(region); // the network is away for a moment
  }
}

// Times of reading ("2 minutes ago") and tokens of forms change without anything having happened.
function shape(element) {
  const copy = element.cloneNode(true);
  for (const part of copy.querySelectorAll("time, input[name=csrf_token]")) part.remove();
  for (const part of copy.querySelectorAll("button[data-copy], details")) {
    part.removeAttribute("hidden");
    part.removeAttribute("open");
  }
  return copy.innerHTML.replace(/\s+/g, " ");
}

for (const region of document.querySelectorAll("[data-live][id]")) watch(region);
