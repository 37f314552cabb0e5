package disk

// NoSpaceErrors are the system's for a file system without room.
var NoSpaceErrors = noSpaceErrors
