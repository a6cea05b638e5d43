// The OpenTelemetry Collector's splunkhec receiver with its ack extension: `receiver ADDRESS FILE`. Writes every log record that it hands on as a line of
// JSON, and ends with its standard input.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"os"
	"sync"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/ackextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/splunkhecreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

type line struct {
	Time       uint64         `json:"time"`
	Resource   map[string]any `json:"resource"`
	Attributes map[string]any `json:"attributes"`
	Body       any            `json:"body"`
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx := context.Background()
	file, err := os.Create(os.Args[2])
	must(err)
	var lock sync.Mutex
	logs, err := consumer.NewLogs(func(_ context.Context, all plog.Logs) error {
		lock.Lock()
		defer lock.Unlock()
		encoder := json.NewEncoder(file)
		for _, resource := range all.ResourceLogs().All() {
			for _, scope := range resource.ScopeLogs().All() {
				for _, record := range scope.LogRecords().All() {
					err := encoder.Encode(line{
						uint64(record.Timestamp()), resource.Resource().Attributes().AsRaw(),
						record.Attributes().AsRaw(), record.Body().AsRaw(),
					})
					if err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
	must(err)

	acks := ackextension.NewFactory()
	extension, err := acks.Create(ctx, extensiontest.NewNopSettings(acks.Type()), acks.CreateDefaultConfig())
	must(err)
	receivers := splunkhecreceiver.NewFactory()
	config := receivers.CreateDefaultConfig()
	must(confmap.NewFromStringMap(map[string]any{
		"endpoint": os.Args[1],
		"ack":      map[string]any{"extension": acks.Type().String()},
	}).Unmarshal(config))
	receiver, err := receivers.CreateLogs(ctx, receivertest.NewNopSettings(receivers.Type()), config, logs)
	must(err)
	must(extension.Start(ctx, host{}))
	must(receiver.Start(ctx, host{component.NewID(acks.Type()): extension}))
	_, _ = io.Copy(io.Discard, os.Stdin)
	must(receiver.Shutdown(ctx))
}
