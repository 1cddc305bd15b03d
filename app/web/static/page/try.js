// Try: a photo chosen, dropped, pasted or taken; judged; its map laid over it.
"use strict";

const trial = {
  form: document.getElementById("try"),
  file: document.getElementById("file"),
  result: document.getElementById("result"),
  preview: document.getElementById("preview"),
  asked: null,  // what ends the request under way
  // Photos are drawn upright and no larger than this: a screen shows no more.
  side: 2048,

  get photo() { return trial.file.files[0]; },

  say(text) {
    const place = document.getElementById("fault");
    place.textContent = text;
    place.hidden = !text;
  },

  size(bytes) {
    return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  },

  // Why a photo need not be sent at all; "" where it may be.
  unfit(photo) {
    const name = photo.name.toLowerCase();
    if (/^image\/hei[cf]/.test(photo.type) || /\.hei[cf]$/.test(name)) {
      return "This is a HEIC photo, which is not read. On the iPhone choose Settings, Camera, Formats, "
        + "“Most Compatible” and take it again, or save this one as JPEG.";
    }
    if (photo.type && !photo.type.startsWith("image/")) {
      return `${photo.name} is no photo, but ${photo.type}: choose a JPEG or PNG file.`;
    }
    const most = Number(trial.form.dataset.maxBytes);
    if (photo.size > most) {
      return `The photo has ${trial.size(photo.size)}, at most ${trial.size(most)} are taken: make it smaller, or save it as JPEG.`;
    }
    return photo.size ? "" : "The file is empty: choose another one.";
  },

  take(files) {
    if (!files?.length) return;
    const one = new DataTransfer();
    one.items.add(files[0]);
    trial.file.files = one.files;
    trial.chosen();
  },

  chosen() {
    trial.asked?.abort();
    const photo = trial.photo, said = document.getElementById("chosen");
    URL.revokeObjectURL(trial.preview.src);
    trial.preview.removeAttribute("src");
    trial.preview.hidden = true;
    said.hidden = !photo;
    trial.say("");
    if (!photo) return;
    said.textContent = `${photo.name || "photo"}, ${trial.size(photo.size)}`;
    trial.say(trial.unfit(photo));
    trial.preview.src = URL.createObjectURL(photo);
  },

  // The photo as the browser shows it, upright; null where it cannot. Browsers know how a JPEG and a
  // PNG stand; of a WebP they pass over it.
  async upright(photo) {
    try {
      const [first, second] = new Uint8Array(await photo.slice(0, 2).arrayBuffer());
      if (!(first === 0xff && second === 0xd8) && !(first === 0x89 && second === 0x50)) return null;
      const bitmap = await createImageBitmap(photo);
      const shrink = Math.min(1, trial.side / Math.max(bitmap.width, bitmap.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(bitmap.width * shrink));
      canvas.height = Math.max(1, Math.round(bitmap.height * shrink));
      canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      const found = { width: bitmap.width, height: bitmap.height };
      bitmap.close();
      const picture = await new Promise((done) => canvas.toBlob(done, "image/webp", 0.92));
      return picture && { ...found, picture };
    } catch {
      return null;
    }
  },

  async judge() {
    const photo = trial.photo;
    const unfit = photo ? trial.unfit(photo) : "Choose a photo first.";
    const missing = unfit || (trial.form.category.value ? "" : "Choose a category first.");
    trial.say(missing);
    if (missing) return document.getElementById(unfit ? "choose" : "category").focus();
    trial.asked?.abort();
    const asked = trial.asked = new AbortController();
    trial.busy(true);
    try {
      const shown = await trial.upright(photo);
      let found = await trial.ask(asked, !shown);
      const sight = found.querySelector(".sight");
      // The browser and the service differ on how the photo stands: the service's counts.
      if (shown && sight && (Number(sight.dataset.width) !== shown.width || Number(sight.dataset.height) !== shown.height)) {
        found = await trial.ask(asked, true);
      } else if (shown) {
        trial.lay(found, shown.picture);
      }
      trial.show(found);
    } catch (fault) {
      if (fault.name !== "AbortError") trial.say(fault.message);
    } finally {
      if (trial.asked === asked) trial.busy(false);
    }
  },

  async ask(asked, picture) {
    const body = new FormData(trial.form);
    if (picture) body.set("picture", "1");
    const answer = await page.ask(trial.form.getAttribute("action").split("?")[0], { method: "POST", body, signal: asked.signal });
    return new DOMParser().parseFromString(await answer.text(), "text/html").body;
  },

  lay(found, picture) {
    URL.revokeObjectURL(trial.address);
    trial.address = URL.createObjectURL(picture);
    for (const image of found.querySelectorAll("image.photo")) image.setAttribute("href", trial.address);
  },

  // A version's name is longer than its field on a phone: it stands below, too.
  named() {
    const { against } = trial.form;
    document.getElementById("against-name").textContent = against.value.includes("@") ? against.selectedOptions[0].text : "";
  },

  busy(is) {
    document.getElementById("judge").disabled = is;
    document.getElementById("at-work").textContent = is ? "The photo is being judged …" : "";
    trial.result.ariaBusy = is;
  },

  show(found) {
    trial.result.replaceChildren(...found.childNodes);
    scoreHistograms.draw(trial.result);
    const blend = document.getElementById("blend");
    blend?.addEventListener("input", trial.blend);
    // Below the form on a phone: there it is what is wanted now.
    if (matchMedia("(max-width: 760px)").matches) trial.result.scrollIntoView();
    trial.result.querySelector("h2")?.focus({ preventScroll: true });
  },

  // Fade: the map's opacity. Wipe: the part of the photo, from the left, that it covers.
  blend() {
    const amount = Number(document.getElementById("amount").value);
    const wipes = document.querySelector("#blend [name=way]:checked").value === "wipe";
    document.getElementById("amount-said").textContent = `${amount} %`;
    for (const sight of trial.result.querySelectorAll(".sight")) {
      const over = sight.querySelector(".over"), width = Number(sight.dataset.width);
      if (!over) continue;
      over.setAttribute("opacity", wipes ? 1 : amount / 100);
      over.setAttribute("width", wipes ? (width * amount) / 100 : width);
      for (const edge of sight.querySelectorAll(".edge")) {
        edge.setAttribute("x1", (width * amount) / 100);
        edge.setAttribute("x2", (width * amount) / 100);
        edge.setAttribute("visibility", wipes && amount > 0 && amount < 100 ? "visible" : "hidden");
      }
    }
    const hidden = !document.getElementById("outlined").checked;
    for (const one of trial.result.querySelectorAll(".outlines")) one.setAttribute("visibility", hidden ? "hidden" : "visible");
  },

  begin() {
    const camera = document.getElementById("camera"), drop = document.getElementById("drop");
    trial.form.noValidate = true;
    trial.file.classList.add("hidden-text");
    trial.file.tabIndex = -1;
    document.getElementById("sources").hidden = document.getElementById("ways").hidden = false;
    document.getElementById("choose").addEventListener("click", () => trial.file.click());
    document.getElementById("take").addEventListener("click", () => camera.click());
    trial.file.addEventListener("change", trial.chosen);
    trial.form.against.addEventListener("change", trial.named);
    trial.named();
    camera.addEventListener("change", () => trial.take(camera.files));
    trial.preview.addEventListener("load", () => { trial.preview.hidden = false; });
    trial.form.addEventListener("submit", (event) => { event.preventDefault(); trial.judge(); });
    document.addEventListener("paste", (event) => trial.take(event.clipboardData?.files));
    for (const kind of ["dragenter", "dragover"]) {
      document.addEventListener(kind, (event) => {
        if (![...event.dataTransfer.types].includes("Files")) return;
        event.preventDefault();
        drop.classList.add("over");
      });
    }
    document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
    document.addEventListener("drop", (event) => {
      drop.classList.remove("over");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      trial.take(event.dataTransfer.files);
    });
    if (trial.photo) trial.chosen();  // the browser keeps it over a reload
  },
};

if (trial.form) trial.begin();
