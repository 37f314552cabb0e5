package lease

import "errors"

// Errors.
var (
	// ErrLost is returned when the node's lease was revoked, the node has left, or the index has gone
	// back in time: an earlier epoch, or renewal of the lease, than the node has seen. It commits
	// nothing any more.
	ErrLost = errors.New("lease: the node's lease is lost")
	// ErrNameTaken is returned by Join when a node that lives has the name.
	ErrNameTaken = errors.New("lease: another node has this name")
	// ErrTurnTaken is returned by Take while a node that lives has the turn.
	ErrTurnTaken = errors.New("lease: another node has the turn")
	// ErrTurnLost is returned when the turn was taken anew, by this node or another.
	ErrTurnLost = errors.New("lease: the turn is over")
)
