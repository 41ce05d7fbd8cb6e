// A sign-in link carries its token in the fragment, which never reaches a server. It is put into the form and
// taken out of the address, so that it stays in no history; it is used only when the person says so.
const field = document.getElementById("token");
if (location.hash.length > 1) {
  field.value = location.hash.slice(1);
  document.getElementById("ready").hidden = false;
  history.replaceState(null, "", location.pathname);
  document.querySelector("#sign-in button").focus();
}
