// Witnesses in Go against ours: transparency-dev/witness over loopback, its client, and transparency-dev/formats for the cosignatures.
//
//	witness serve <log vkey>                  a witness with a key of its own; prints {"url","vkey"} and runs until its input ends
//	witness push <url> <witness vkey>         takes a log of its own, signed in Go, to a witness that knows it; prints what went wrong
//	witness key                               prints the vkey of that log
//	witness verify <log vkey> <vkey> <note>   opens a note with both keys; prints how many signatures verified
package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"

	fnote "github.com/transparency-dev/formats/note"
	client "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "go.example/log"

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func demand(ok bool, what string, got ...any) {
	if !ok {
		fmt.Println(append([]any{what}, got...)...)
		os.Exit(1)
	}
}

func main() {
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2])
	case "push":
		push(os.Args[2], os.Args[3])
	case "key":
		_, vkey := logKey()
		fmt.Println(vkey)
	case "verify":
		verify(os.Args[2], os.Args[3], os.Args[4])
	}
}

func serve(logVkey string) {
	log, err := note.NewVerifier(logVkey)
	must(err)
	skey, vkey, err := note.GenerateKey(rand.Reader, "go.example/witness")
	must(err)
	signer, err := fnote.NewSignerForCosignatureV1(skey)
	must(err)
	w, err := witness.New(context.Background(), witness.Opts{
		Persistence: inmemory.New(),
		Signers:     []note.Signer{signer},
		VerifierForLog: func(_ context.Context, o string) (note.Verifier, bool, error) {
			return log, o == log.Name(), nil
		},
	})
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(w).AddCheckpoint)
	go func() { must(http.Serve(listener, mux)) }()
	// The key of a cosigner has another type, and so another id, than the one that was generated.
	public, err := base64.StdEncoding.DecodeString(strings.SplitN(vkey, "+", 3)[2])
	must(err)
	public[0] = 4
	cosigner := fmt.Sprintf("%s+%08x+%s", signer.Name(), signer.KeyHash(), base64.StdEncoding.EncodeToString(public))
	must(json.NewEncoder(os.Stdout).Encode(map[string]string{"url": "http://" + listener.Addr().String(), "vkey": cosigner}))
	_, _ = io.Copy(io.Discard, os.Stdin) // it stops with whoever started it
}

// logKey is the same each time.
func logKey() (note.Signer, string) {
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	private := ed25519.NewKeyFromSeed(seed)
	vkey, err := note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey))
	must(err)
	id, err := hex.DecodeString(strings.Split(vkey, "+")[1])
	must(err)
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, binary.BigEndian.Uint32(id), base64.StdEncoding.EncodeToString(append([]byte{1}, seed...)))
	signer, err := note.NewSigner(skey)
	must(err)
	return signer, vkey
}

type tree struct{ hashes []tlog.Hash }

func grow(name string, sizes, forkAt int64) *tree {
	t := &tree{}
	for i := int64(0); i < sizes; i++ {
		leaf := fmt.Sprintf("leaf %d", i)
		if i >= forkAt {
			leaf = name + leaf
		}
		stored, err := tlog.StoredHashes(i, []byte(leaf), t)
		must(err)
		t.hashes = append(t.hashes, stored...)
	}
	return t
}

func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, i := range indexes {
		all = append(all, t.hashes[i])
	}
	return all, nil
}

func (t *tree) checkpoint(size int64, signer note.Signer) []byte {
	root, err := tlog.TreeHash(size, t)
	must(err)
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	return signed
}

func (t *tree) proof(from, to int64) [][]byte {
	if from == 0 || from == to {
		return nil
	}
	proof, err := tlog.ProveTree(to, from, t)
	must(err)
	var hashes [][]byte
	for _, hash := range proof {
		hashes = append(hashes, hash[:])
	}
	return hashes
}

func push(address, vkey string) {
	at, err := url.Parse(address)
	must(err)
	w := client.NewWitness(at, http.DefaultClient)
	signer, logVkey := logKey()
	ours, other := grow("", 600, 600), grow("other ", 600, 100)
	var from int64
	for _, size := range []int64{1, 2, 3, 8, 255, 256, 257, 300, 300, 512} {
		signed := ours.checkpoint(size, signer)
		cosignature, _, err := w.Update(context.Background(), uint64(from), signed, ours.proof(from, size))
		must(err)
		count, err := open(logVkey, vkey, append(signed, cosignature...))
		must(err)
		demand(count == 2, "signatures of size", size, count)
		from = size
	}
	_, size, err := w.Update(context.Background(), 3, ours.checkpoint(600, signer), ours.proof(3, 600))
	demand(errors.Is(err, witness.ErrCheckpointStale) && size == 512, "a proof from elsewhere:", size, err)
	_, _, err = w.Update(context.Background(), 512, other.checkpoint(600, signer), other.proof(512, 600))
	demand(errors.Is(err, witness.ErrInvalidProof), "a fork:", err)
	_, _, err = w.Update(context.Background(), 512, other.checkpoint(512, signer), nil)
	demand(errors.Is(err, witness.ErrInvalidProof) || errors.Is(err, witness.ErrRootMismatch), "another root:", err)
	_, _, err = w.Update(context.Background(), 600, ours.checkpoint(512, signer), nil)
	demand(errors.Is(err, witness.ErrOldSizeInvalid), "an old size beyond the checkpoint:", err)
	_, _, err = w.Update(context.Background(), 512, bytes.Replace(ours.checkpoint(600, signer), []byte("\n600\n"), []byte("\n601\n"), 1), nil)
	demand(errors.Is(err, witness.ErrNoValidSignature), "a changed text:", err)
	_, _, err = w.Update(context.Background(), 512, ours.checkpoint(600, signer), ours.proof(512, 600))
	must(err)
}

func open(logVkey, vkey string, signed []byte) (int, error) {
	log, err := note.NewVerifier(logVkey)
	must(err)
	cosigner, err := fnote.NewVerifierForCosignatureV1(vkey)
	must(err)
	opened, err := note.Open(signed, note.VerifierList(log, cosigner))
	if err != nil {
		return 0, err
	}
	return len(opened.Sigs), nil
}

func verify(logVkey, vkey, path string) {
	signed, err := os.ReadFile(path)
	must(err)
	count, err := open(logVkey, vkey, signed)
	must(err)
	fmt.Println(count)
}
