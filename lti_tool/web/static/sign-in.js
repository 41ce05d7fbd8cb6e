// A sign-in link carries its token in the fragment, which never reaches a server. It is put into the form and
// taken out of the address, so that it stays in no history; it is used only when the person says so.
const field = document.getElementById("token");

function fillIn() {
  const token = location.hash.slice(1);
  // The link to the page's content names a place on the page.
  if (!token || document.getElementById(token)) return;
  field.value = token;
  document.getElementById("ready").hidden = false;
  history.replaceState(null, "", location.pathname);
  document.querySelector("#sign-in button").focus();
}

fillIn();
// Where this page is open already, a link that is put into its address changes the fragment and loads nothing.
window.addEventListener("hashchange", fillIn);
