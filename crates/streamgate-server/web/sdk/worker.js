// The timer of heartbeats as a worker of its own file, for pages whose Content-Security-Policy
// allows no worker from a `blob:` URL. The same as in timer.ts.
setInterval(postMessage, 1000, 0);
export {};
