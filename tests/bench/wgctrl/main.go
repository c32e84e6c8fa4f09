// Copyright: (c) 2026, wirewatch developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Reads one device for each line on standard input with wgctrl, and answers with the nanoseconds that took and the number of peers.
package main

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"golang.zx2c4.com/wireguard/wgctrl"
)

func main() {
	client, err := wgctrl.New()
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		begun := time.Now()
		device, err := client.Device(os.Args[1])
		elapsed := time.Since(begun)
		if err != nil {
			panic(err)
		}
		fmt.Printf("{\"ns\": %d, \"found\": %d}\n", elapsed.Nanoseconds(), len(device.Peers))
	}
}
