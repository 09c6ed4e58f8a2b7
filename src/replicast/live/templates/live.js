// A run's progress as it is told, and its results when there are more; without script the page shows how things stood.
"use strict";
const place = document.getElementById("progress");
if (place) {
  const source = new EventSource(place.dataset.events);
  const state = document.getElementById("state"), said = document.getElementById("said");
  source.onmessage = async (event) => {
    const found = JSON.parse(event.data);
    state.textContent = found.state;
    state.className = "state " + found.state;
    said.textContent = `${found.done} of ${found.planned}, ${found.failed} failed`;
    const rows = place.querySelectorAll(".scenario");
    found.scenarios.forEach((one, i) => {
      if (!rows[i]) return;
      const bar = rows[i].querySelector("progress");
      bar.max = one.planned; bar.value = one.done;
      rows[i].querySelector("span").textContent =
        `${one.done} of ${one.planned}` + (one.failed ? `, ${one.failed} failed` : "");
    });
    if (found.fresh) {
      const answer = await fetch(place.dataset.results);
      if (answer.ok) document.getElementById("results").innerHTML = await answer.text();
    }
  };
  source.addEventListener("ended", () => source.close());
  source.addEventListener("gone", () => { state.textContent = "gone"; source.close(); });
}
