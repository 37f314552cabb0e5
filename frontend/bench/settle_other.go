//go:build !linux

package main

// settle does nothing: without /proc nothing can be measured here.
func settle() {}
