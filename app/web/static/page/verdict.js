// One verdict: the overlay in the photo's place, outlines on and off.
"use strict";

{
  const photo = document.getElementById("photo");
  const overlay = document.getElementById("overlay");
  const toggle = document.getElementById("toggle-overlay");
  const outlines = document.getElementById("toggle-boxes");
  const boxes = document.getElementById("boxes");

  // What a browser cannot show: the thumbnail, or words.
  function unseen() {
    document.getElementById("unseen").hidden = false;
    if (photo.dataset.small && photo.getAttribute("src") !== photo.dataset.small) {
      photo.src = photo.dataset.small;
    } else {
      photo.closest(".stage").hidden = true;
    }
  }
  if (photo) {
    photo.addEventListener("error", unseen);
    if (photo.complete && !photo.naturalWidth) unseen();
  }

  if (toggle) {
    toggle.hidden = false;
    toggle.addEventListener("click", async () => {
      const wanted = overlay.hidden;
      if (wanted && !overlay.src) {
        toggle.disabled = true;
        try {
          const answer = await page.ask(toggle.dataset.overlay);
          overlay.src = URL.createObjectURL(await answer.blob());
          await overlay.decode();
        } catch (fault) {
          const words = document.getElementById("no-overlay");
          words.textContent = fault.message;
          words.hidden = false;
          return;
        } finally {
          toggle.disabled = false;
        }
      }
      overlay.hidden = !wanted;
      photo.hidden = wanted;
      toggle.setAttribute("aria-pressed", String(wanted));
    });
  }

  if (outlines && boxes) {
    outlines.hidden = false;
    outlines.addEventListener("click", () => {
      const shown = outlines.getAttribute("aria-pressed") !== "true";
      boxes.classList.toggle("off", !shown);
      outlines.setAttribute("aria-pressed", String(shown));
    });
  }

  // Left and right lead on, as everywhere where one photo is looked at after the other.
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
    const link = { ArrowLeft: "newer", ArrowRight: "older" }[event.key];
    if (link) document.getElementById(link)?.click();
  });
}
