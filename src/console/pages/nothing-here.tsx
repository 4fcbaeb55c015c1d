import { Empty } from '../components/panel.tsx';

export function NothingHere() {
  return (
    <Empty>
      <h1>There is no page at this address</h1>
      <p>
        <a href="/jobs">All jobs</a>
      </p>
    </Empty>
  );
}
