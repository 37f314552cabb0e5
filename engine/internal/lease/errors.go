package lease

import "errors"

// Errors.
var (
	// ErrLost is returned when the node's lease was revoked, or the node has left. It commits
	// nothing any more.
	ErrLost = errors.New("lease: the node's lease is lost")
	// ErrNameTaken is returned by Join when a node that lives has the name.
	ErrNameTaken = errors.New("lease: another node has this name")
	// ErrTurnTaken is returned by Take while a node that lives has the turn.
	ErrTurnTaken = errors.New("lease: another node has the turn")
	// ErrTurnLost is returned when the turn was taken anew, by this node or another.
	ErrTurnLost = errors.New("lease: the turn is over")
)
