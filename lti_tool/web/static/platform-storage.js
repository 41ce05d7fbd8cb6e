// LTI Client Side postMessages and Platform Storage 0.1: where no cookie survives in a frame, the platform
// keeps this browser's secret between login and launch. Without an answer we go on without it: after two seconds
// where nobody says that there is such a storage, later where somebody did.
const PATIENCE = 2000;
const PATIENCE_WITH_STORAGE = 6000;
// A message to a frame that is still loading is lost without a trace, and Canvas loads its storage frame beside us.
const REPEAT = 200;
const link = document.getElementById("continue");
const form = document.getElementById("launch");
const { storageOrigin: origin, storageTarget: target, storageKey: key, storageValue: value } = (link ?? form).dataset;

function frameNamed(name) {
  const platform = window.opener ?? window.parent;
  if (!name || name === "_parent") return platform;
  try {
    return platform.frames[name] ?? platform;
  } catch {
    return platform;
  }
}

function ask(subject, to, toOrigin, more = {}, patience = PATIENCE) {
  const messageId = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(reject, new Error("no answer")), patience);
    const again = setInterval(send, REPEAT);
    function finish(settle, outcome) {
      clearTimeout(timer);
      clearInterval(again);
      window.removeEventListener("message", listen);
      settle(outcome);
    }
    function listen(event) {
      const data = event.data;
      if (typeof data !== "object" || data === null || data.message_id !== messageId) return;
      if (toOrigin !== "*" && event.origin !== toOrigin) return;
      if (data.subject !== `${subject}.response`) return;
      if (data.error) finish(reject, new Error(data.error.code));
      else finish(resolve, data);
    }
    function send() {
      to.postMessage({ subject, message_id: messageId, ...more }, toOrigin);
    }
    window.addEventListener("message", listen);
    send();
  });
}

// What the platform can do and in which frame; asking tells no secret, so any origin may answer.
async function storageFrame(subject) {
  const answer = await ask("lti.capabilities", window.opener ?? window.parent, "*");
  const found = answer.supported_messages?.find((message) => message.subject === subject);
  if (!found) throw new Error("not supported");
  return frameNamed(found.frame ?? target);
}

async function keep() {
  try {
    const frame = await storageFrame("lti.put_data");
    await ask("lti.put_data", frame, origin, { key, value }, PATIENCE_WITH_STORAGE);
  } catch {
    // cookies, or the page that explains, come next
  }
  window.location.replace(link.href);
}

async function readBack() {
  try {
    const frame = await storageFrame("lti.get_data");
    const answer = await ask("lti.get_data", frame, origin, { key }, PATIENCE_WITH_STORAGE);
    form.elements.storage_value.value = answer.value ?? "";
  } catch {
    // posted empty: the server answers with the page that explains
  }
  form.submit();
}

if ((window.opener ?? window.parent) === window) {
  if (link) window.location.replace(link.href);
  else form.submit();
} else if (link) {
  keep();
} else {
  readBack();
}
