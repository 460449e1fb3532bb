// Masks that hang on floats of the call: on what 16 bits make of them, and on what is no number.

!q = tensor<1x64x64x8xf32>

func.func @reach(%q: !q, %c: tensor<64xf16>, %d: tensor<64xbf16>) -> !q {
  %o = flash.attention %q, %q, %q captures(%c, %d : tensor<64xf16>, tensor<64xbf16>)
      {mask = #flash.region, schedule = #flash.schedule<m = 16, n = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %halves: tensor<64xf16>, %shorts: tensor<64xbf16>):
    %x = tensor.extract %halves[%h] : tensor<64xf16>
    %y = tensor.extract %shorts[%h] : tensor<64xbf16>
    %square = arith.mulf %x, %x : f16
    %wide = arith.extf %y : bf16 to f32
    %third = arith.constant 0.333333343 : f32
    %part = arith.mulf %wide, %third : f32
    %short = arith.truncf %part : f32 to f16
    %sum = arith.addf %square, %short : f16
    %scale = arith.constant 16.0 : f16
    %scaled = arith.mulf %sum, %scale : f16
    %number = arith.fptosi %scaled : f16 to i32
    %limit = arith.index_cast %number : i32 to index
    %distance = arith.subi %i, %j : index
    %seen = arith.cmpi slt, %distance, %limit : index
    flash.yield %seen : i1
  } : !q, !q, !q -> !q
  return %o : !q
}

// Roots of numbers of which half are negative: a comparison with NaN is true if it is unordered.
func.func @root(%q: !q, %c: tensor<64xf64>) -> !q {
  %o = flash.attention %q, %q, %q captures(%c : tensor<64xf64>)
      {mask = #flash.region, schedule = #flash.schedule<m = 16, n = 16>} mask {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %doubles: tensor<64xf64>):
    %x = tensor.extract %doubles[%h] : tensor<64xf64>
    %root = math.sqrt %x : f64
    %half = arith.constant 0.5 : f64
    %seen = arith.cmpf ult, %root, %half : f64
    flash.yield %seen : i1
  } : !q, !q, !q -> !q
  return %o : !q
}
