//! A decorator that injects faults into a store.
