document.querySelector(".state").textContent =
  "This browser is too old for this page: it has no JavaScript modules. Any browser of the last five years has them.";
