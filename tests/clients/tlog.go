// Command tlog reads a published ledger as any transparency log: with the note and tlog packages of the Go checksum
// database, which know nothing of this project.
//
// It checks the checkpoint's signature, that every entry is in the log (RFC 6962 inclusion proofs made from the tiles,
// against leaf hashes made from the entry bundles), and that the log extends each of its earlier sizes (consistency
// proofs made from the tiles, against roots computed from the entries alone). It prints the number of entries.
//
// Usage: tlog FOLDER VKEY
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// tiles reads hash tiles. The paths of C2SP tlog-tiles are those of the checksum database without the height.
type tiles string

func (t tiles) Height() int { return 8 }

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range wanted {
		data, err := os.ReadFile(filepath.Join(string(t), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

// stored is the whole tree in memory, as the entries alone make it.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		found = append(found, s[index])
	}
	return found, nil
}

func entries(folder string, size int64) (all [][]byte) {
	for start := int64(0); start < size; start += 256 {
		width := size - start
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: 8, L: -1, N: start / 256, W: int(width)}.Path()
		data, err := os.ReadFile(filepath.Join(folder, strings.Replace(path, "tile/8/data/", "tile/entries/", 1)))
		check(err)
		for len(data) > 0 {
			length := binary.BigEndian.Uint16(data)
			all = append(all, data[2:2+length])
			data = data[2+length:]
		}
	}
	return all
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	folder := os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	message, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	check(err)
	opened, err := note.Open(message, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		log.Fatalf("the origin is %q", lines[0])
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	check(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)

	reader := tlog.TileHashReader(tree, tiles(folder))
	records := entries(folder, size)
	if int64(len(records)) != size {
		log.Fatalf("%d entries in a log of %d", len(records), size)
	}
	var whole stored
	for i, record := range records {
		proof, err := tlog.ProveRecord(size, int64(i), reader)
		check(err)
		check(tlog.CheckRecord(proof, size, tree.Hash, int64(i), tlog.RecordHash(record)))
		hashes, err := tlog.StoredHashes(int64(i), record, whole)
		check(err)
		whole = append(whole, hashes...)
	}
	for earlier := int64(1); earlier <= size; earlier++ {
		before, err := tlog.TreeHash(earlier, whole)
		check(err)
		proof, err := tlog.ProveTree(size, earlier, reader)
		check(err)
		check(tlog.CheckTree(proof, size, tree.Hash, earlier, before))
	}
	fmt.Println(size)
}
