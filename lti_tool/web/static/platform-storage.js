// LTI Client Side postMessages and Platform Storage 0.1: where no cookie survives in a frame, the platform
// keeps this browser's secret between login and launch. After two seconds without an answer we go on without it.
const PATIENCE = 2000;
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

function ask(subject, to, toOrigin, more = {}) {
  const messageId = crypto.randomUUID();
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => finish(reject, new Error("no answer")), PATIENCE);
    function finish(settle, outcome) {
      clearTimeout(timer);
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
    window.addEventListener("message", listen);
    to.postMessage({ subject, message_id: messageId, ...more }, toOrigin);
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
    await ask("lti.put_data", await storageFrame("lti.put_data"), origin, { key, value });
  } catch {
    // cookies, or the page that explains, come next
  }
  window.location.replace(link.href);
}

async function readBack() {
  try {
    const answer = await ask("lti.get_data", await storageFrame("lti.get_data"), origin, { key });
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
