const choose = (button) => {
  for (const one of element.querySelectorAll("button[data-index]")) one.ariaSelected = String(one === button);
  trigger("select", { index: Number(button.dataset.index) });
};
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-index]");
  if (button) choose(button);
});
element.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const button = event.target.closest("button[data-index]");
  if (!step || !button) return;
  event.preventDefault();
  const next = step > 0 ? button.nextElementSibling : button.previousElementSibling;
  if (next) {
    next.focus();
    choose(next);
  }
});
