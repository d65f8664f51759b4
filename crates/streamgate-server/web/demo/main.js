// The demo: the player page of an imaginary film service. The address of the tab says who watches on
// which device; without that, the page asks.

import { ROOT, client } from "../shared/api.js";
import { byId, frame } from "../shared/ui.js";
import { seat } from "./accounts.js";
import { showPlayer } from "./player.js";
import { showSignIn } from "./sign-in.js";
import { texts } from "./texts.js";

const main = byId("main", HTMLElement);

/** Leaves what is shown. */
let leave = () => {};

function show() {
    leave();
    const taken = seat();
    leave = taken ? showPlayer(main, taken) : showSignIn(main);
}

frame(texts.theme);
addEventListener("hashchange", show);
show();

// The console is a setting of its own.
client()
    .get(ROOT)
    .then(({ console: path }) => (byId("console", HTMLElement).hidden = !path))
    .catch(() => {}); // Behind a dialect the root is not ours: then there is no link.
