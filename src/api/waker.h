/* Hints to workers: "there are jobs" (NOTIFY rg_wake) and "look for jobs to stop" (rg_kill). A
 * thread with a connection of its own sends them, each in a transaction of its own, at most one of
 * a kind every few milliseconds however many are asked for. A lost hint costs a worker's poll
 * interval. */
#pragma once

struct waker;

struct waker *waker_start(const char *conninfo);
void waker_stop(struct waker *waker);
/* Thread-safe, never block. Call after the commit. */
void waker_wake(struct waker *waker);
void waker_kill(struct waker *waker);
