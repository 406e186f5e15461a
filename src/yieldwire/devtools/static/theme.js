/** Light, dark, or as the system has it. Loaded before the page is painted, so that it never changes under the eye. */
document.documentElement.dataset.theme = localStorage.getItem("yieldwire-theme") ?? "system";
