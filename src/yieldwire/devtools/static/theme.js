/** Light, dark, or the system's theme. Loaded before the page is painted, so that it does not flash. */
document.documentElement.dataset.theme = localStorage.getItem("yieldwire-theme") ?? "system";
