// hls.js and Streamgate.
//
// Content-Security-Policy, beside your own `connect-src`:
//   script-src 'self'; style-src 'self'; media-src blob:; worker-src 'self'
//
// hls.js makes its worker from a blob: URL, which `worker-src 'self'` forbids: either no worker, as
// here, or `workerPath` with the URL of hls.js's worker file on your origin.

import Hls from "hls.js";
import { attach } from "streamgate";

/**
 * Plays a film.
 *
 * @param video - the <video> element
 * @param film - `{ id, url }` of an HLS playlist
 * @param slot - whose slot and where: `{ url, user, token, device }` and `worker`, the URL of
 *   streamgate/worker.js on your origin
 * @param viewer - your dialogs: `choose(sessions)` resolves to a session id, or to undefined;
 *   `tell({ reason, by })` says why playback stopped
 */
export function play(video, film, slot, viewer) {
    const hls = new Hls({ enableWorker: false });
    hls.loadSource(film.url);
    hls.attachMedia(video);
    const attachment = attach(video, {
        ...slot,
        content: { id: film.id },
        onEnded: viewer.tell,
        onRefused: async (refusal) => {
            const chosen = await viewer.choose(refusal.sessions);
            if (chosen) await refusal.takeOver(chosen);
        },
    });
    // Rejected where the browser wants the viewer to press play.
    video.play().catch(() => {});
    return async function close() {
        await attachment.detach();
        hls.destroy();
    };
}
