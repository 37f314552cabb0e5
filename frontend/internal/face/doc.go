// Package face is what the faces of the two services have in common: one request under way, read
// into the engine's requests, and the engine's results written as headers and XML.
package face
