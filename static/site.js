// The little that needs a script: copy buttons, and forms that send themselves when a filter changes.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(source.textContent.trim());
  const label = button.textContent;
  button.textContent = button.dataset.done || "✓";
  setTimeout(() => { button.textContent = label; }, 1500);
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-autosubmit]");
  if (form) form.requestSubmit();
});
// A big board has no link in each cell: row and column say where it leads.
document.addEventListener("click", (event) => {
  const cell = event.target.closest("table.board.compact tbody td[class^=h]");
  if (!cell) return;
  const table = cell.closest("table");
  const task = table.tHead.rows[0].cells[cell.cellIndex].dataset.task;
  window.location.href = `/${table.dataset.language}/runs/${cell.parentNode.dataset.run}/samples/${task}/`;
});
document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-checkall]");
  if (!box) return;
  for (const other of box.closest("form").querySelectorAll("input[name=ids]")) other.checked = box.checked;
});
