// Adds a button that copies the text beside it. Without this script, the text can be selected.
for (const place of document.querySelectorAll("[data-copy]")) {
  const text = place.querySelector("code");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = place.dataset.copy;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      // on plain http the clipboard is closed to scripts, but not to a selection
      getSelection().selectAllChildren(text);
      document.execCommand("copy");
    }
    button.textContent = place.dataset.copied;
  });
  place.append(button);
}
