// Package access says who may come in: it verifies who sent a request to one of the two services,
// and that nobody changed it on the way.
package access
