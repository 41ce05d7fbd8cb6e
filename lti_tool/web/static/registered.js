// The platform opened this page in a frame or a window of its own, and closes it when it is told to
// (LTI Dynamic Registration 1.0 §3.6). The message holds nothing, so anybody may hear it.
const platform = window.opener ?? (window.parent === window ? null : window.parent);
const button = document.getElementById("close");
if (platform && button) {
  button.hidden = false;
  document.getElementById("close-by-hand")?.remove();
  button.addEventListener("click", () => platform.postMessage({ subject: "org.imsglobal.lti.close" }, "*"));
}
