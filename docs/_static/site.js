// What axe-core asks for and the theme does not give: a level for its headings, names, and a way to scroll by keyboard.
document.addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll("p.caption[role=heading]")) caption.setAttribute("aria-level", "2");
  document.querySelector("aside.sidebar-drawer")?.setAttribute("aria-label", "Site");
  document.querySelector("aside.toc-drawer")?.setAttribute("aria-label", "Page");
  const reachable = () => {
    for (const formula of document.querySelectorAll("mjx-container:not([display])")) {
      const around = formula.closest("p, li, td, dd");
      if (around && formula.offsetWidth > around.clientWidth) formula.classList.add("wide");
    }
    for (const part of document.querySelectorAll("pre, .table-wrapper, .output, mjx-container")) {
      if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  };
  reachable();
  addEventListener("load", () => {
    reachable();
    window.MathJax?.startup?.promise?.then(reachable);
  });
  addEventListener("resize", reachable);
});
