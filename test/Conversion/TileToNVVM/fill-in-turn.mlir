// RUN: flash-opt %s --pass-pipeline='builtin.module(gpu.module(convert-flash-tile-to-nvvm,canonicalize,cse))' | FileCheck %s

!acc = !flash_tile.fragment<64x64xf32, #flash_tile.acc<4>>
!one = !flash_tile.ring<1, 64x64xf32, mbarrier>
!two = !flash_tile.ring<2, 64x64xf32, mbarrier>
gpu.module @kernels {
  // One stage that two warpgroups fill in turn: who had the turn before has filled it (the barrier that is arrived on), and the helper
  // has given it back. With the second wait alone a warpgroup could be two turns ahead, where a barrier's parity is the same again.
  // CHECK-LABEL: gpu.func @one
  // CHECK: mbarrier.try_wait{{.*}} %[[FULL:[0-9a-z]+]], %c1_i32
  // CHECK: mbarrier.try_wait{{.*}} %[[EMPTY:[0-9a-z]+]], %c1_i32
  // CHECK: st.shared.v2.f32
  // CHECK: mbarrier.arrive{{.*}} %[[FULL]], %
  gpu.func @one(%x: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %sums = flash_tile.ring {shared_offset = 0 : i64} : !one
    flash_tile.specialize producer(40) {
    } consumers(232) {
      flash_tile.in_turn %c0 {
        %s = flash_tile.splat %x : !acc
        flash_tile.fill %sums[%c0], %s : !one, !acc
      }
    } helper "writer" {
    }
    gpu.return
  }

  // With two stages each warpgroup has one of its own.
  // CHECK-LABEL: gpu.func @two
  // CHECK: mbarrier.try_wait
  // CHECK-NOT: mbarrier.try_wait
  // CHECK: st.shared.v2.f32
  gpu.func @two(%x: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %sums = flash_tile.ring {shared_offset = 0 : i64} : !two
    flash_tile.specialize producer(40) {
    } consumers(232) {
      flash_tile.in_turn %c0 {
        %s = flash_tile.splat %x : !acc
        flash_tile.fill %sums[%c0], %s : !two, !acc
      }
    } helper "writer" {
    }
    gpu.return
  }

  // One stage that one warpgroup fills always, and two release: no other wait, and as many arrivals as warps.
  // CHECK-LABEL: gpu.func @own
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 4;
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 8;
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 4;
  // CHECK: mbarrier.init.shared::cta.b64 [$0], 4;
  // CHECK: scf.if
  // CHECK: mbarrier.try_wait
  // CHECK-NOT: mbarrier.try_wait
  // CHECK: st.shared.v2.f32
  // CHECK: } else {
  gpu.func @own(%x: f32) kernel attributes {flash_tile.kernel = #flash_tile.kernel<warps = 8>} {
    %c0 = arith.constant 0 : index
    %both = flash_tile.ring {shared_offset = 0 : i64} : !one
    %second = flash_tile.ring {shared_offset = 32768 : i64} : !one
    flash_tile.specialize producer(40) {
    } consumers(232) {
      flash_tile.by_warpgroup {
        %s = flash_tile.splat %x : !acc
        flash_tile.fill always %both[%c0], %s : !one, !acc
        flash_tile.release %both[%c0] : !one
        flash_tile.release %second[%c0] : !one
      }, {
        %s = flash_tile.splat %x : !acc
        flash_tile.fill always %second[%c0], %s : !one, !acc
        flash_tile.release %both[%c0] : !one
      }
    }
    gpu.return
  }
}
