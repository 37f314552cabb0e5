package engine

import (
	"context"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/index"
)

// algorithmNodes is what the key in the fleet's record is for.
const algorithmNodes = "nodes"

// checkNodeKeys makes sure that Options.Keys are those of the other nodes. The first node that has
// any leaves a data key in the index, which Options.Keys of every other must unwrap: else it would
// seal what the others cannot open.
func (e *Engine) checkNodeKeys(ctx context.Context) error {
	var fleet index.Fleet
	err := e.index.View(ctx, func(r index.Reader) (err error) {
		fleet, err = index.GetFleet(r)
		return err
	})
	if err == nil && fleet.Keys.Algorithm == "" && e.keys != nil {
		fleet.Keys, err = e.leaveNodeKey(ctx)
	}
	switch {
	case err != nil:
		return err
	case fleet.Keys.Algorithm == "":
		return nil
	case e.keys == nil:
		return ErrKmsServiceNotEnabled.saying(
			"The other nodes have Options.Keys, and this one needs them, too.",
		)
	}
	_, err = e.keys.unwrap(
		ctx, crypto.WrappedKey{KeyID: fleet.Keys.Wrapper, Blob: fleet.Keys.WrappedKey},
	)
	return err
}

// leaveNodeKey leaves a data key for the other nodes, unless one of them does so first, and returns
// that which is there then.
func (e *Engine) leaveNodeKey(ctx context.Context) (key index.Encryption, err error) {
	_, wrapped, err := e.keys.generate(ctx, "")
	if err != nil {
		return key, err
	}
	err = e.index.Update(ctx, func(tx index.Tx) error {
		fleet, err := index.GetFleet(tx)
		if err == nil && fleet.Keys.Algorithm == "" {
			fleet.Keys = index.Encryption{
				Algorithm: algorithmNodes, WrappedKey: wrapped.Blob, Wrapper: wrapped.KeyID,
			}
			err = index.Put(tx, index.FleetKey(), &fleet)
		}
		key = fleet.Keys
		return err
	})
	return key, err
}
