package pgindex

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/gabion-storage/gabion/index"
)

// formatVersion is that of the tables. A node refuses a schema with another.
const formatVersion = 1

// lockClass is the first key of the advisory locks of this package, "gabn".
const lockClass = 0x6761626e

// Of nodes, committed is the number of the last commit of each: see committed.
const createSchema = `
	CREATE SCHEMA IF NOT EXISTS @;
	CREATE TABLE @.records (k bytea PRIMARY KEY, v bytea NOT NULL);
	ALTER TABLE @.records ALTER COLUMN v SET STORAGE EXTERNAL;
	CREATE TABLE @.nodes (
		node uuid PRIMARY KEY, committed bigint NOT NULL, at timestamptz NOT NULL
	);
	CREATE TABLE @.format (version integer NOT NULL);
	INSERT INTO @.format VALUES (1)`

// The names of the statements that every connection prepares.
const (
	sqlBegin    = "gabion_begin"
	sqlSnapshot = "gabion_snapshot"
	sqlNow      = "gabion_now"
	sqlLock     = "gabion_lock"
	sqlCommit   = "gabion_commit"
	sqlGet      = "gabion_get"
	sqlScan     = "gabion_scan"
	sqlScanOpen = "gabion_scan_open"
	sqlKeys     = "gabion_keys"
	sqlRanges   = "gabion_ranges"
	sqlPut      = "gabion_put"
	sqlDelete   = "gabion_delete"
	sqlNote     = "gabion_note"
	sqlNoted    = "gabion_noted"
	sqlForget   = "gabion_forget"
)

// sized is a table of rows in the order of their columns, v excepted: in before, each has how many
// bytes are in the values of those before it. octet_length does not fetch what is stored out of line.
func sized(columns, rows string) string {
	return `(
		SELECT ` + columns + `, v,
			sum(octet_length(v)) OVER (ORDER BY ` + columns + ` ROWS UNBOUNDED PRECEDING) - octet_length(v) AS before
		FROM ` + rows + `
	) AS sized`
}

// page is a page of a scan. It ends with the row that brings it to pageBytes.
func page(bounds string) string {
	return `
	SELECT k, v
	FROM ` + sized("k", "(SELECT k, v FROM @.records WHERE "+bounds+" ORDER BY k LIMIT $1) AS rows") + `
	WHERE before < $2 ORDER BY k`
}

func statements(schema string) map[string]string {
	all := map[string]string{
		sqlBegin:    "BEGIN ISOLATION LEVEL READ COMMITTED",
		sqlSnapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
		sqlNow:      "SELECT 1",
		sqlLock:     "SELECT pg_advisory_xact_lock($1, $2)",
		sqlCommit:   "COMMIT",
		sqlGet:      "SELECT k, v FROM @.records WHERE k = ANY($1::bytea[])",
		sqlScan:     page("k >= $3 AND k < $4"),
		sqlScanOpen: page("k >= $3"),
		sqlKeys:     sqlPrefetchKeys,
		sqlRanges:   sqlPrefetchRanges,
		sqlPut: `INSERT INTO @.records SELECT * FROM unnest($1::bytea[], $2::bytea[])
			ON CONFLICT (k) DO UPDATE SET v = EXCLUDED.v`,
		sqlDelete: "DELETE FROM @.records WHERE k = ANY($1::bytea[])",
		sqlNote: `INSERT INTO @.nodes VALUES ($1, $2, now())
			ON CONFLICT (node) DO UPDATE SET committed = EXCLUDED.committed, at = EXCLUDED.at`,
		sqlNoted:  "UPDATE @.nodes SET at = now() WHERE node = $1 AND committed = $2",
		sqlForget: "DELETE FROM @.nodes WHERE node = $1 OR at < now() - interval '7 days'",
	}
	for name, sql := range all {
		all[name] = inSchema(sql, schema)
	}
	return all
}

// inSchema puts the name of the schema in the place of each @.
func inSchema(sql, schema string) string { return strings.ReplaceAll(sql, "@", `"`+schema+`"`) }

// prepareSchema makes the tables if there are none, and checks their version. Of nodes that open at
// the same time one makes them.
func prepareSchema(ctx context.Context, conn *pgx.Conn, schema string) (lock int32, err error) {
	version, err := schemaVersion(ctx, conn, schema)
	if errors.Is(err, errNoSchema) {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			const sql = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
			if _, err := tx.Exec(ctx, sql, int32(lockClass), schema); err != nil {
				return err
			}
			version, err = schemaVersion(ctx, conn, schema)
			if !errors.Is(err, errNoSchema) {
				return err
			}
			version = formatVersion
			_, err = tx.Exec(ctx, inSchema(createSchema, schema))
			return err
		})
	}
	if err != nil {
		return 0, err
	}
	if version != formatVersion {
		return 0, &index.VersionError{
			Where: "schema " + schema, Version: byte(min(version, 255)), Supported: formatVersion,
		}
	}
	err = conn.QueryRow(ctx, "SELECT $1::regclass::oid::int4", inSchema("@.records", schema)).Scan(&lock)
	return lock, err
}

var errNoSchema = errors.New("pgindex: there is no index in the schema")

func schemaVersion(ctx context.Context, conn *pgx.Conn, schema string) (version int32, err error) {
	var there bool
	// A name that was looked up in vain is remembered by the session, a row of a catalog is not.
	const sql = `SELECT EXISTS (
		SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'format')`
	if err := conn.QueryRow(ctx, sql, schema).Scan(&there); err != nil {
		return 0, err
	}
	if !there {
		return 0, errNoSchema
	}
	err = conn.QueryRow(ctx, inSchema("SELECT version FROM @.format", schema)).Scan(&version)
	return version, err
}
