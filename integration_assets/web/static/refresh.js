// Refreshes the widget by itself. Without it the page shows what it was when it was loaded, with its time.
(() => {
  const widget = document.getElementById("widget");
  const trouble = document.getElementById("refresh-trouble");
  if (!widget || !trouble) return;
  const seconds = Number(widget.dataset.seconds) || 30;
  let last = new Date();

  async function refresh() {
    try {
      const answer = await fetch(widget.dataset.refresh, { redirect: "error", cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      const inside = document.activeElement && widget.contains(document.activeElement);
      // Whoever is at a link inside keeps her place.
      if (!inside) widget.innerHTML = text;
      last = new Date();
      trouble.hidden = true;
    } catch {
      // A wall screen that cannot be refreshed must not look as if all were well.
      trouble.textContent = widget.dataset.late + " " + last.toLocaleTimeString(document.documentElement.lang);
      trouble.hidden = false;
    }
  }

  setInterval(refresh, seconds * 1000);
})();
