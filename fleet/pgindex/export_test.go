package pgindex

// OpenTraced is Open with a tracer of what is sent to the server.
var OpenTraced = open
