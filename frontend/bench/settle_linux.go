package main

import "syscall"

// settle has the system write all dirty pages and waits for it, so that what one server has left
// does not burden the next.
func settle() { syscall.Sync() }
