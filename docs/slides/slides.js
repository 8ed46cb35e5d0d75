// Formulas first: a slide is laid out only when they have their size.
MathJax.startup.promise.then(() => {
  // The speaker's view is another window without MathJax' style, where the spoken form would stand beside the formula.
  for (const spoken of document.querySelectorAll(".notes mjx-assistive-mml")) spoken.remove();
  Reveal.initialize({
    width: 1280,
    height: 720,
    margin: 0,
    center: false,
    hash: true,
    slideNumber: "c/t",
    transition: "none",
    controls: false, // arrow keys, space, or a swipe
    plugins: [RevealNotes],
  });
});
