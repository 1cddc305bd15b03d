// History and one verdict's pictures: times in the reader's zone, words where a picture is not kept.
"use strict";

{
  const two = (number) => String(number).padStart(2, "0");

  // A time as an input of the reader's zone shows it.
  function local(at, seconds) {
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    return `${day}T${two(at.getHours())}:${two(at.getMinutes())}${seconds ? `:${two(at.getSeconds())}` : ""}`;
  }

  for (const input of document.querySelectorAll("input[type=datetime-local]")) {
    if (input.dataset.at) input.value = local(new Date(input.dataset.at), input.step === "1");
    input.dataset.shown = input.value;
  }

  // What is sent has its zone; a time that nobody has touched is sent as it came.
  document.addEventListener("formdata", (event) => {
    for (const input of event.target.querySelectorAll("input[type=datetime-local]")) {
      if (!input.value) continue;
      const untouched = input.dataset.at && input.value === input.dataset.shown;
      const exact = new Date(input.value).toISOString().replace(".000Z", "Z");
      event.formData.set(input.name, untouched ? input.dataset.at : exact);
    }
  });

  // What is said beside a field is said of it.
  function tell() {
    for (const words of document.querySelectorAll("#filter .field > .fault")) {
      const field = document.getElementById(words.id.replace("fault-", ""));
      if (words.textContent) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
  }
  document.addEventListener("htmx:after:swap", tell);
  tell();

  // Thumbnails are not kept of every photo. Errors do not bubble, so they are caught on the way in.
  function gone(picture) {
    const words = document.createElement("span");
    words.className = "thumb gone";
    words.textContent = "no picture kept";
    picture.replaceWith(words);
  }
  function sweep(within) {
    for (const picture of within.querySelectorAll("#results img.thumb")) {
      if (picture.complete && !picture.naturalWidth && picture.currentSrc) gone(picture);
    }
  }
  document.addEventListener("error", (event) => {
    if (event.target.matches?.("#results img.thumb")) gone(event.target);
  }, true);
  sweep(document);

  // On a phone the filter opens where it is in use.
  const filters = document.querySelector(".filters");
  if (filters && innerWidth <= 760 && !("set" in filters.dataset)) filters.open = false;
}
