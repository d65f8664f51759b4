// Light or dark, before the first paint: a classic script in the head, as modules run too late.
// The switch is in ui.js. What the reader chose is kept for all pages of this server.

(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const chosen = () => {
        try {
            return localStorage.getItem("streamgate:theme");
        } catch {
            return null; // Storage may be denied: then the system decides.
        }
    };
    const apply = () => {
        const theme = chosen() ?? (dark.matches ? "dark" : "light");
        document.documentElement.dataset.theme = theme;
    };
    apply();
    dark.addEventListener("change", apply);
    // Another tab has switched.
    addEventListener("storage", apply);
})();
