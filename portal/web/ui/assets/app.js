// What pages gain when scripts run: times in the reader's zone, buttons that
// copy, the theme switch, and dialogs in browsers that lack command buttons.
(() => {
  "use strict";
  const chartsURL = document.currentScript.dataset.charts;
  let charts;
  const formats = {
    full: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" }),
    date: new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" }),
  };
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" });
  const units = [["year", 365 * 86400, 730 * 86400], ["month", 30 * 86400, 60 * 86400], ["day", 86400, 2 * 86400], ["hour", 3600, 3600], ["minute", 60, 60]];

  // ago says the same as the server's function relative.
  function ago(time) {
    const seconds = (time - Date.now()) / 1000;
    for (const [unit, size, from] of units) {
      if (Math.abs(seconds) >= from) return relative.format(Math.trunc(seconds / size), unit);
    }
    return "just now";
  }

  function showTimes() {
    for (const element of document.querySelectorAll("time[data-time]")) {
      const time = new Date(element.dateTime);
      if (isNaN(time)) continue;
      const kind = element.dataset.time;
      const text = kind === "ago" ? ago(time) : formats[kind].format(time);
      if (element.textContent !== text) element.textContent = text;
      element.title = kind === "full" ? time.toISOString().replace(".000", "") : formats.full.format(time);
    }
  }

  // A button copies the element that data-copy names, or the code beside it.
  function copySource(button) {
    if (button.dataset.copy) return document.getElementById(button.dataset.copy);
    return button.closest(".code, .copy").querySelector("pre code, code");
  }

  async function copy(button) {
    const source = copySource(button);
    const label = button.querySelector("span");
    let done = "Copied";
    try {
      await navigator.clipboard.writeText(source.textContent);
    } catch {
      getSelection().selectAllChildren(source);
      done = "Selected";
    }
    announce(done);
    const before = label?.textContent;
    if (!label || before === done) return;
    label.textContent = done;
    setTimeout(() => { label.textContent = before; }, 2000);
  }

  // announce lets screen readers say what happened.
  function announce(text) {
    let live = document.getElementById("live");
    if (!live) {
      live = document.createElement("div");
      live.id = "live";
      live.className = "visually-hidden";
      live.setAttribute("role", "status");
      document.querySelector("main").append(live);
    }
    live.textContent = "";
    setTimeout(() => { live.textContent = text; }, 50);
  }

  const themes = { auto: "System", light: "Light", dark: "Dark" };

  function currentTheme() {
    return document.documentElement.dataset.theme || "auto";
  }

  function showTheme(button) {
    const name = themes[currentTheme()];
    button.hidden = false;
    button.querySelector("span").textContent = name;
    button.setAttribute("aria-label", "Theme: " + name);
  }

  function switchTheme(button) {
    const names = Object.keys(themes);
    const next = names[(names.indexOf(currentTheme()) + 1) % names.length];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // The choice lasts for this page only.
    }
    showTheme(button);
    document.dispatchEvent(new Event("themechange"));
  }

  // enhance is called for the page as it came, and after htmx has changed it.
  function enhance() {
    showTimes();
    document.querySelectorAll("button[data-copy]").forEach((button) => { button.hidden = false; });
    document.querySelectorAll("button[data-theme-switch]").forEach(showTheme);
    if (!charts && document.querySelector("[data-chart]")) {
      charts = document.createElement("script");
      charts.src = chartsURL;
      document.head.append(charts);
    }
    document.dispatchEvent(new Event("enhance"));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("copy" in button.dataset) copy(button);
    if ("themeSwitch" in button.dataset) switchTheme(button);
    if (button.hasAttribute("commandfor") && !("commandForElement" in button)) {
      const dialog = document.getElementById(button.getAttribute("commandfor"));
      if (button.getAttribute("command") === "close") dialog.close();
      else dialog.showModal();
    }
  });
  // Two clicks on a button must not send a form twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 3000);
  });
  document.addEventListener("htmx:after:swap", enhance);
  setInterval(showTimes, 60000);

  enhance();
  document.querySelector("[aria-invalid=true]")?.focus();
})();
