package fleet_test

import (
	"context"
	"log"

	"github.com/gabion-storage/gabion/crypto"
	"github.com/gabion-storage/gabion/engine"
	"github.com/gabion-storage/gabion/fleet"
)

func ExampleOpen() {
	ctx := context.Background()
	keys, err := crypto.OpenKeyring("/etc/gabion/keyring") // the same file on all machines
	if err != nil {
		log.Fatal(err)
	}
	e, err := fleet.Open(ctx, fleet.Config{
		Index:  "postgres://gabion@db.example.com/gabion?sslmode=verify-full",
		Chunks: "s3://gabion-chunks/store?endpoint=https://s3.example.com&path-style=true",
		Node:   "frontend-1", // the name of this machine or pod
	}, &engine.Options{Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
}
