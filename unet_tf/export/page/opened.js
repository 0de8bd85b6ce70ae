// Opened as a file, browsers load neither modules nor models: say what to do instead.
if (location.protocol === "file:") {
  const status = document.getElementById("status");
  status.textContent = "Opened as a file, this page cannot load its model. Serve its folder, for "
    + "instance by python -m http.server, and open the address that this gives.";
  status.classList.add("error");
}
