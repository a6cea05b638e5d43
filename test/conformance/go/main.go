// Reads a log as static files with golang.org/x/mod: sumdb/note opens the checkpoint, sumdb/tlog reads the tiles (which it verifies against
// the signed root), hashes every record, and proves and checks records and older trees.
//
//	check <file with the vkey> <folder of one log>
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type folder string

// pathOf: sumdb has the height in its paths, tlog-tiles has not.
func (f folder) pathOf(t tlog.Tile) string {
	path := strings.Replace(t.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
	return filepath.Join(string(f), strings.Replace(path, fmt.Sprintf("tile/%d/", height), "tile/", 1))
}

// ReadTiles falls back to the full tile where a partial one was let go.
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		data, err := os.ReadFile(f.pathOf(t))
		if err != nil {
			full := t
			full.W = 1 << height
			if data, err = os.ReadFile(f.pathOf(full)); err != nil {
				return nil, err
			}
			data = data[:t.W*tlog.HashSize]
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) Height() int                      { return height }
func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func main() {
	vkey, err := os.ReadFile(os.Args[1])
	must(err)
	logs := folder(os.Args[2])
	text, err := os.ReadFile(filepath.Join(string(logs), "checkpoint"))
	must(err)
	verifier, err := note.NewVerifier(strings.TrimSpace(string(vkey)))
	must(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	must(err)
	if len(opened.Sigs) != 1 {
		must(fmt.Errorf("%d signatures", len(opened.Sigs)))
	}
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size, Hash: tlog.Hash(root)}
	hashes := tlog.TileHashReader(tree, logs)
	for first := int64(0); first < size; first += 1 << height {
		width := min(size-first, 1<<height)
		bundle, err := os.ReadFile(logs.pathOf(tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}))
		must(err)
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		must(err)
		for i := range leaves {
			length := int(binary.BigEndian.Uint16(bundle))
			record := bundle[2 : 2+length]
			if tlog.RecordHash(record) != leaves[i] {
				must(fmt.Errorf("record %d is not in the log", first+int64(i)))
			}
			bundle = bundle[2+length:]
		}
		if len(bundle) != 0 {
			must(fmt.Errorf("%d bytes are left over behind record %d", len(bundle), first+width-1))
		}
		last := first + width - 1
		proof, err := tlog.ProveRecord(size, last, hashes)
		must(err)
		must(tlog.CheckRecord(proof, size, tree.Hash, last, leaves[width-1]))
		older, err := tlog.TreeHash(last+1, hashes)
		must(err)
		treeProof, err := tlog.ProveTree(size, last+1, hashes)
		must(err)
		must(tlog.CheckTree(treeProof, size, tree.Hash, last+1, older))
	}
	fmt.Printf("%d records\n", size)
}
